"""Object storage: Amazon S3 and its like, Azure Blob Storage, Google Cloud Storage, or a folder."""
