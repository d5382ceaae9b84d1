"""Hands documents in as programs do: with the bulk helper of a client library.

bulk.py LIBRARY URL TOKEN MARK COUNT prints a line of JSON: how many were taken, and what one delete was told.
"""

import json
import sys


def connect(library, url, token):
    if library == "opensearchpy":
        from opensearchpy import OpenSearch, helpers

        return OpenSearch(url, http_auth=("collector", token), http_compress=True), helpers
    from elasticsearch import Elasticsearch, helpers

    return Elasticsearch(url, api_key=("collector", token), http_compress=True), helpers


def main():
    library, url, token, mark, count = sys.argv[1:]
    client, helpers = connect(library, url, token)
    version = client.info()["version"]["number"]
    documents = (
        {"_op_type": "create", "_index": "logs", "_id": f"{mark}-{number}", "message": f"{mark} 受付 {number:05}"}
        for number in range(int(count))
    )
    taken, _ = helpers.bulk(client, documents, chunk_size=300)
    delete = [{"_op_type": "delete", "_index": "logs", "_id": f"{mark}-0"}]
    _, refused = helpers.bulk(client, delete, raise_on_error=False)
    single = client.index(index="logs", body={"message": f"{mark} 受付 single"})
    health = client.cluster.health()["status"]
    print(
        json.dumps(
            {
                "version": version,
                "taken": taken,
                "delete": refused[0]["delete"]["status"],
                "single": single["result"],
                "health": health,
            }
        )
    )


main()
