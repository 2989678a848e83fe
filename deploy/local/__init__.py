"""A real Kafka and a real PostgreSQL for this machine, from packages alone."""

from deploy.local.errors import StackError
from deploy.local.kafka import KAFKA_VERSION, KafkaBroker
from deploy.local.postgres import PostgresServer
from deploy.local.stack import DATABASE, VARIABLES, Stack

__all__ = [
    "DATABASE",
    "KAFKA_VERSION",
    "VARIABLES",
    "KafkaBroker",
    "PostgresServer",
    "Stack",
    "StackError",
]
