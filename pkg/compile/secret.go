package compile

import tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

// secrets returns the secrets that the bootstrap itself must hold; keys never among them, only the names of files.
func (b *builder) secrets() []*tlsv3.Secret { return nil }
