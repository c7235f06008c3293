"""The only room that speaks protobuf: our BGP vocabulary to and from the gRPC API of GoBGP 3.x and 4.x."""
