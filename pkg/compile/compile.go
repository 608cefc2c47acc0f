// Package compile turns a mesh and a proxy into the Envoy resources that istiod would send that proxy: listeners, route configurations,
// clusters, endpoints and secrets, shaped and named as istiod does.
//
// A configuration belongs to one proxy, but the proxies of a Compiler share those messages that are the same for them (see shared.go). A
// message is never changed once it is part of a configuration, and nothing lives in package variables. Files are named for the kind of
// resource and its direction: a question about the inbound listener is answered in listener_inbound.go.
package compile

import (
	"sync"

	accesslogv3 "github.com/envoyproxy/go-control-plane/envoy/config/accesslog/v3"
	clusterv3 "github.com/envoyproxy/go-control-plane/envoy/config/cluster/v3"
	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	endpointv3 "github.com/envoyproxy/go-control-plane/envoy/config/endpoint/v3"
	listenerv3 "github.com/envoyproxy/go-control-plane/envoy/config/listener/v3"
	routev3 "github.com/envoyproxy/go-control-plane/envoy/config/route/v3"
	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"
	meshconfig "istio.io/api/mesh/v1alpha1"
	networking "istio.io/api/networking/v1alpha3"
	telemetry "istio.io/api/telemetry/v1alpha1"

	"github.com/meshc/meshc/pkg/compile/provenance"
	"github.com/meshc/meshc/pkg/diag"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// Target says for which Envoy the configuration is meant.
type Target string

const (
	// Envoy is stock Envoy: no filter that only Istio's build has, no secret server.
	Envoy Target = "envoy"
	// IstioProxy is Istio's build, for comparison with what a live istiod sends.
	IstioProxy Target = "istio-proxy"
)

// Options of a compiler. The zero value compiles for stock Envoy.
type Options struct {
	Target Target
	// SecretsDir is a directory in which NAME/cert-chain.pem, NAME/key.pem and NAME/root-cert.pem hold secrets, "" for none. NAME is a
	// credentialName, or "default" for the workload's own certificate and the mesh's roots. Only the names of the files are written into a
	// bootstrap, never what they hold. Target IstioProxy has a secret server and takes no notice of it.
	SecretsDir string
}

// Configuration is what one proxy would be told. Route configurations are apart from the listeners that name them (rds) and endpoints
// from their clusters, as over xDS; package emit puts them inline.
type Configuration struct {
	Proxy  *model.Proxy
	Target Target
	// Settings are those of the mesh, for what the bootstrap says of it: domain, cluster, network.
	Settings *model.Settings
	// ProxyConfig is the proxy's own, for what the bootstrap takes from it: tracers, statistics, threads.
	ProxyConfig *meshconfig.ProxyConfig
	Listeners   []*listenerv3.Listener
	Routes      []*routev3.RouteConfiguration
	Clusters    []*clusterv3.Cluster
	Endpoints   []*endpointv3.ClusterLoadAssignment
	Secrets     []*tlsv3.Secret
	// ExtensionConfigs are the configurations of filters that ask for theirs by name (ECDS), in the order in which they were added.
	ExtensionConfigs []*corev3.TypedExtensionConfig
	// Statistics are what the bootstrap says of Envoy's own statistics.
	Statistics Statistics
	// BootstrapPatches are merged, in order, into the bootstrap that holds all this.
	BootstrapPatches []BootstrapPatch
	// Patches tells what became of the EnvoyFilters' patches for this proxy, in the order in which they were applied; see JudgePatches.
	Patches []PatchUse
	// Removed are the listeners and clusters that patches took out.
	Removed []Removed
	// Sources tells which YAML shaped which message.
	Sources *provenance.Map
	// Findings name what of the input bears on this proxy and is not compiled.
	Findings []diag.Finding

	shared *shared
}

// Compiler compiles the proxies of one mesh. It is safe for concurrent use.
type Compiler struct {
	mesh       *model.Mesh
	opts       Options
	patches    func() []*envoyPatch
	extensions func() []trafficExtension
	selective  func() []resource.Of[*networking.DestinationRule]
	shared     *shared
}

// New returns a compiler for the mesh.
func New(mesh *model.Mesh, opts Options) *Compiler {
	if opts.Target == "" {
		opts.Target = Envoy
	}
	return &Compiler{mesh: mesh, opts: opts, shared: &shared{},
		patches:    sync.OnceValue(func() []*envoyPatch { return envoyFilters(mesh) }),
		extensions: sync.OnceValue(func() []trafficExtension { return trafficExtensions(mesh) }),
		selective:  sync.OnceValue(func() []resource.Of[*networking.DestinationRule] { return selectiveRules(mesh) }),
	}
}

// Compile returns the configuration of one proxy. Listeners, routes, clusters and endpoints are each ordered by name.
func (c *Compiler) Compile(p *model.Proxy) *Configuration { return c.builder(p).build() }

func (c *Compiler) builder(p *model.Proxy) *builder {
	b := &builder{
		mesh: c.mesh, proxy: p, target: c.opts.Target, scope: c.mesh.ScopeOf(p),
		secretsDir: c.opts.SecretsDir, secretNames: map[string]bool{}, sources: provenance.Over(&c.shared.sources), shared: c.shared,
	}
	b.patches, b.extensions = b.patchesFor(c.patches()), b.extensionsFor(c.extensions())
	return b
}

// Compile is New(mesh, opts).Compile(p), for callers with one proxy.
func Compile(mesh *model.Mesh, p *model.Proxy, opts Options) *Configuration {
	return New(mesh, opts).Compile(p)
}

// builder builds the configuration of one proxy. It holds only what nearly every part reads; parts take anything else as parameters.
type builder struct {
	mesh    *model.Mesh
	proxy   *model.Proxy
	target  Target
	scope   *model.Scope
	sources *provenance.Map
	// shared is what the proxies of the compiler have in common.
	shared *shared
	// secretsDir is Options.SecretsDir.
	secretsDir string
	// secretNames are the secrets that the configuration refers to and the bootstrap must hold.
	secretNames map[string]bool
	// patches are those of EnvoyFilters for this proxy, and removed what they took out.
	patches *proxyPatches
	removed []Removed
	// extensions are the filters that TrafficExtensions and WasmPlugins add, as they run.
	extensions []trafficExtension
	// serverPorts are the ports of Gateways' servers, by the port that the proxy opens for them.
	serverPorts map[uint32]map[uint32]bool
	// ownConfig is what proxyConfig found, nil until it was asked.
	ownConfig *meshconfig.ProxyConfig
	// ownTelemetry is what telemetry found; logs and metrics what was made of it.
	ownTelemetry *model.Telemetry
	logs         map[logPlace][]*accesslogv3.AccessLog
	metrics      map[telemetry.WorkloadMode][]model.Metrics
	// securityOf is what security made, nil until it was asked.
	securityOf *securityFilters
	// keyServers are those that the JWT filter fetches keys from, by the name of the cluster.
	keyServers map[string]*keyServer
}
