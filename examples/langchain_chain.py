"""langchain-openai: `python langchain_chain.py QUESTION …`."""

import sys

from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI

import fleetmeter

fleetmeter.install()
fleetmeter.instrument_openai()

prompt = ChatPromptTemplate.from_messages([("system", "Answer in a sentence."), ("user", "{question}")])
# `stream_usage`: langchain-openai asks for a stream's usage by itself only at OpenAI's own address
chain = prompt | ChatOpenAI(model="gpt-6-luna", stream_usage=True) | StrOutputParser()
for question in sys.argv[1:]:
    print(chain.invoke({"question": question}))
    for part in chain.stream({"question": question}):
        print(part, end="", flush=True)
    print()
