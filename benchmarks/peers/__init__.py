"""The peers' job: the same small learning job on each stream processor, without code of the product."""
