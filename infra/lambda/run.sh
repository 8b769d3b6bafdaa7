#!/bin/sh
# What the Lambda Web Adapter starts: the server, which the adapter asks over HTTP.
cd "$(dirname "$0")" && exec ./outlast serve
