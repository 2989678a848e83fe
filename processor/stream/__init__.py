"""
Everything that knows Faust: the application, its consumer of runs, and the RocksDB-backed table.
"""
