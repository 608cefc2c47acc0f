package compile

import (
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	// sdsCluster is the bootstrap cluster behind which Istio's agent serves secrets.
	sdsCluster = "sds-grpc"
	// workloadSecret and rootSecret are the names under which the agent serves a workload's certificate and its roots.
	workloadSecret = "default"
	rootSecret     = "ROOTCA"

	// sdsPatience is how long stock Envoy waits for a secret that nobody will send. Envoy takes zero to mean for ever, and a listener
	// that waits keeps the whole proxy from becoming ready.
	sdsPatience = time.Millisecond
)

// workloadSDS names a secret that a proxy gets from its own agent: `default`, `ROOTCA`, or a file as Istio writes it
// (file-cert:…, file-root:…).
func (b *builder) workloadSDS(name string) *tlsv3.SdsSecretConfig {
	if b.target == IstioProxy {
		source := agentSource()
		source.InitialFetchTimeout = durationpb.New(0)
		return &tlsv3.SdsSecretConfig{Name: name, SdsConfig: source}
	}
	return b.staticSDS(name)
}

// credentialSDS names a secret that istiod itself sends a gateway: kubernetes://CREDENTIAL.
func (b *builder) credentialSDS(name string) *tlsv3.SdsSecretConfig {
	if b.target == IstioProxy {
		return &tlsv3.SdsSecretConfig{Name: name, SdsConfig: &corev3.ConfigSource{
			ConfigSourceSpecifier: &corev3.ConfigSource_Ads{Ads: &corev3.AggregatedConfigSource{}},
			ResourceApiVersion:    corev3.ApiVersion_V3,
		}}
	}
	return b.staticSDS(name)
}

// staticSDS names a secret for stock Envoy. With a directory of secrets the name alone is enough: Envoy looks it up in
// static_resources. Without one the secret comes from a cluster without endpoints, so that the proxy starts and only those
// connections fail that need the secret.
func (b *builder) staticSDS(name string) *tlsv3.SdsSecretConfig {
	if b.secretsDir != "" {
		b.needSecret(name)
		return &tlsv3.SdsSecretConfig{Name: name}
	}
	source := agentSource()
	source.InitialFetchTimeout = durationpb.New(sdsPatience)
	return &tlsv3.SdsSecretConfig{Name: name, SdsConfig: source}
}

// needSecret notes that the bootstrap must hold a secret, where it is the bootstrap that holds secrets.
func (b *builder) needSecret(name string) {
	if b.target != IstioProxy && b.secretsDir != "" {
		b.secretNames[name] = true
	}
}

func agentSource() *corev3.ConfigSource {
	return &corev3.ConfigSource{
		ConfigSourceSpecifier: &corev3.ConfigSource_ApiConfigSource{ApiConfigSource: &corev3.ApiConfigSource{
			ApiType:             corev3.ApiConfigSource_GRPC,
			TransportApiVersion: corev3.ApiVersion_V3,
			GrpcServices: []*corev3.GrpcService{{TargetSpecifier: &corev3.GrpcService_EnvoyGrpc_{
				EnvoyGrpc: &corev3.GrpcService_EnvoyGrpc{ClusterName: sdsCluster},
			}}},
			SetNodeOnFirstMessageOnly: true,
		}},
		ResourceApiVersion: corev3.ApiVersion_V3,
	}
}
