"""Makes a database of the tables in data/, and serves it with Datasette on the port named by PORT."""

import csv
import os
import pathlib
import sqlite3
import tempfile

HERE = pathlib.Path(__file__).parent
PORT = os.environ.get("PORT", "8001")


def make_database(path):
    """One table for each CSV file, with numbers as numbers."""
    with sqlite3.connect(path) as database:
        for source in sorted((HERE / "data").glob("*.csv")):
            with source.open(newline="", encoding="utf-8") as file:
                columns, *rows = csv.reader(file)
            names = ", ".join(f'"{name}" NUMERIC' for name in columns)
            places = ", ".join("?" for _ in columns)
            database.execute(f'CREATE TABLE "{source.stem}" ({names})')
            database.executemany(f'INSERT INTO "{source.stem}" VALUES ({places})', rows)


def main():
    # The container's user may write to the temporary folder only.
    database = os.path.join(tempfile.mkdtemp(prefix="datasette-"), "moons.db")
    make_database(database)
    arguments = ["--host", "0.0.0.0", "--port", PORT, "--metadata", str(HERE / "metadata.json")]
    # Datasette takes this process's place, so that it gets the signal to stop.
    os.execvp("datasette", ["datasette", "serve", "--immutable", database, *arguments])


if __name__ == "__main__":
    main()
