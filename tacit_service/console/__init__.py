"""Console for operators: health, figures of the stream and of learning, namespaces, and a look at one user."""
