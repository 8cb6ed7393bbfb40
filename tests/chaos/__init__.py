"""Real stores under real faults: writers with ledgers, an exporter, a scraper that forgives nothing."""
