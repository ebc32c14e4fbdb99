"""The results database: connections, schema, migrations, and the rows that the daemon writes and reads."""
