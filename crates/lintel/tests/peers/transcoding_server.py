"""The service of transcoding.proto.

    transcoding_server.py DESCRIPTORS FOLDER…

Writes the descriptors of all that it knows into a file, and prints `listening PORT`. Imports are
looked for in the folders.
"""

import pathlib
import sys
from concurrent import futures

import grpc
from google.api import httpbody_pb2
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from grpc_status import rpc_status

from protos import compiled

HERE = pathlib.Path(__file__).parent
names = ["all_types.proto", "transcoding.proto", "google/rpc/error_details.proto", "google/rpc/status.proto"]
_, _, messages, services = compiled([HERE, *sys.argv[2:]], names[:2])
compiled([HERE, *sys.argv[2:]], names, sys.argv[1])


class Transcoding(services.TranscodingServicer):
    def Tell(self, request, context):
        return messages.Told(text=request.SerializeToString(deterministic=True).hex())

    def Echo(self, request, context):
        return request

    def Fail(self, request, context):
        details = []
        if request.details:
            info = any_pb2.Any()
            info.Pack(error_details_pb2.ErrorInfo(reason="WHY", domain="test", metadata={"a": "b"}))
            details.append(info)
        status = status_pb2.Status(code=request.code, message=request.message, details=details)
        context.abort_with_status(rpc_status.to_status(status))

    def Raw(self, request, context):
        return httpbody_pb2.HttpBody(content_type="text/csv", data=request.text.encode())

    def Many(self, request, context):
        for number in range(request.count):
            yield messages.Told(text=f"{number}")

    def Collect(self, requests, context):
        return messages.Told(text="+".join(request.text for request in requests))


def main():
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=16))
    services.add_TranscodingServicer_to_server(Transcoding(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"listening {port}", flush=True)
    server.wait_for_termination()


main()
