"""Topics as another client makes and deletes them. For the Python that Debian's confluent_kafka is for."""

from confluent_kafka.admin import AdminClient, NewTopic

SECONDS = 60


class Topics:
    def __init__(self, bootstrap):
        self.client = AdminClient({"bootstrap.servers": bootstrap})

    def create(self, name, partitions, **settings):
        """Settings with _ for each dot: retention_ms=1000."""
        config = {key.replace("_", "."): str(value) for key, value in settings.items()}
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=config)
        self._done(self.client.create_topics([topic], operation_timeout=SECONDS))

    def delete(self, name):
        self._done(self.client.delete_topics([name], operation_timeout=SECONDS))

    @staticmethod
    def _done(futures):
        for future in futures.values():
            future.result(SECONDS)
