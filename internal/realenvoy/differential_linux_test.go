package realenvoy

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	tlsv3 "github.com/envoyproxy/go-control-plane/envoy/extensions/transport_sockets/tls/v3"

	"github.com/meshc/meshc/internal/envoytest"
	"github.com/meshc/meshc/internal/meshgen"
	"github.com/meshc/meshc/pkg/compile"
	"github.com/meshc/meshc/pkg/emit"
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/simulate"
)

const (
	// generatedWorlds is how many random meshes are run, a sidecar and a gateway of each.
	generatedWorlds = 24
	// callsEach is how many calls are made to a proxy of a random mesh, at most.
	callsEach = 250
)

// TestSimulatorAgreesWithEnvoy runs gateways, and sidecars behind Istio's redirection, in network namespaces. It makes calls out of what each
// was told (callsFrom), over plaintext, TLS and mutual TLS, in HTTP/1.1, HTTP/2 and neither, and compares where each ends with where the
// simulator says it does: cluster, status, redirect, and the request as the upstream sees it.
func TestSimulatorAgreesWithEnvoy(t *testing.T) {
	pki := newPKI(t)
	counts := &tally{calls: map[string]int{}, worlds: map[string]bool{}}
	t.Cleanup(func() { counts.report(t) })
	for name, paths := range writtenWorlds(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			mesh := world(t, paths...)
			// One proxy of a kind is enough: the others differ in little.
			counts.compare(t, pki, mesh, firstOf(mesh, model.Router, 0), 0, 0)
			counts.compare(t, pki, mesh, firstOf(mesh, model.Sidecar, 0), 0, 0)
		})
	}
	for seed := range uint64(generatedWorlds) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			size := meshgen.Small
			size.Steady = true
			tree := fstest.MapFS{"mesh.yaml": {Data: meshgen.Generate(seed, size).Text()}}
			mesh, err := model.Load(t.Context(), model.Options{FS: tree}, ".")
			if err != nil {
				t.Fatal(err)
			}
			counts.compare(t, pki, mesh, firstOf(mesh, model.Router, int(seed)), seed, callsEach)
			counts.compare(t, pki, mesh, firstOf(mesh, model.Sidecar, int(seed)), seed, callsEach)
		})
	}
}

// writtenWorlds are the examples and the worlds of testdata, each of which has the base beside it.
func writtenWorlds(t *testing.T) map[string][]string {
	t.Helper()
	files, err := filepath.Glob("testdata/worlds/*.yaml")
	if err != nil {
		t.Fatal(err)
	}
	worlds := map[string][]string{}
	for _, name := range []string{"bookinfo", "canary", "egress"} {
		worlds[name] = []string{"examples/" + name}
	}
	for _, f := range files {
		if filepath.Base(f) != "base.yaml" {
			worlds[strings.TrimSuffix(filepath.Base(f), ".yaml")] = []string{"internal/realenvoy/testdata/worlds/base.yaml", "internal/realenvoy/" + filepath.ToSlash(f)}
		}
	}
	return worlds
}

// firstOf picks a proxy of a kind, nil where there is none.
func firstOf(mesh *model.Mesh, kind model.ProxyType, i int) *model.Proxy {
	all := slices.DeleteFunc(slices.Clone(mesh.Proxies()), func(p *model.Proxy) bool { return p.Type != kind })
	if len(all) == 0 {
		return nil
	}
	return all[i%len(all)]
}

// tally counts what was compared.
type tally struct {
	mu sync.Mutex
	// worlds are the names of those whose proxies were run.
	worlds                map[string]bool
	proxies, total, wrong int
	// calls are counted by mode, protocol and encryption.
	calls map[string]int
}

func (c *tally) report(t *testing.T) {
	t.Helper()
	for _, kind := range slices.Sorted(maps.Keys(c.calls)) {
		t.Logf("%6d calls %s", c.calls[kind], kind)
	}
	t.Logf("%d worlds, %d proxies, %d calls, of which %d end elsewhere", len(c.worlds), c.proxies, c.total, c.wrong)
	if len(c.worlds) < 20 {
		t.Errorf("%d worlds, want 20", len(c.worlds))
	}
	for _, mode := range []simulate.Mode{simulate.Gateway, simulate.Outbound, simulate.Inbound} {
		n := 0
		for kind, calls := range c.calls {
			if strings.HasPrefix(kind, string(mode)+" ") {
				n += calls
			}
		}
		if n < 2000 {
			t.Errorf("%d calls %s, want 2000", n, mode)
		}
	}
}

// compare runs a proxy and compares the calls to it, all or as many as the limit allows.
func (c *tally) compare(t *testing.T, pki *pki, mesh *model.Mesh, p *model.Proxy, seed uint64, limit int) {
	t.Helper()
	if p == nil {
		return
	}
	secrets := t.TempDir()
	cfg := compile.Compile(mesh, p, compile.Options{SecretsDir: secrets})
	text, err := emit.Bootstrap(cfg)
	if err != nil {
		t.Fatal(err)
	}
	text = pki.provide(t, cfg, text, secrets)
	network := envoytest.NewHost
	if p.Type == model.Sidecar {
		network = func(t testing.TB, address string) *envoytest.Namespace { return envoytest.NewNamespace(t, address) }
	}
	pod := network(t, p.IP)
	envoytest.Start(t, text, envoytest.Options{
		Network:  pod,
		Upstream: func(cluster string) string { return envoytest.EchoIn(t, pod, cluster) },
	})
	client := &client{network: pod, certificates: pki.callers}
	sim := simulate.New(cfg, simulate.Options{Mesh: mesh})
	for _, call := range vary(callsFrom(t, cfg), cfg, seed, limit) {
		r := client.call(t, call)
		call.SourceIP = r.source
		diff := difference(cfg, sim.Call(call), r)
		c.count(call, diff)
		if diff != "" {
			t.Errorf("%s %s: %s", p.ID(), describe(call), diff)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.proxies++
	c.worlds[t.Name()] = true
}

func (c *tally) count(call simulate.Call, diff string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total++
	c.calls[fmt.Sprintf("%s %s %s", call.Mode, call.Protocol, call.TLS)]++
	if diff != "" {
		c.wrong++
	}
}

// identities are the identities of those who call over mutual TLS.
var identities = []string{"cluster.local/ns/shop/sa/cart", "cluster.local/ns/default/sa/client", "elsewhere.example/ns/shop/sa/cart"}

// moreHeaders are headers about which Envoy has its own mind.
var moreHeaders = [][2]string{
	{"x-forwarded-for", "192.0.2.1"}, {"x-forwarded-for", "192.0.2.1, 10.1.2.3"}, {"x-forwarded-for", "10.9.8.7"}, {"x-forwarded-proto", "https"},
	{"x-forwarded-host", "before.test"}, {"x-envoy-original-host", "forged.test"}, {"te", "gzip"}, {"x-forwarded-port", "1234"}, {"x-forwarded-client-cert", "By=spiffe://a/b;URI=spiffe://c/d"},
	{"x-request-id", "aaaaaaaa-1111-4222-8333-bbbbbbbbbbbb"}, {"x-envoy-retry-on", "5xx"}, {"x-envoy-upstream-rq-timeout-ms", "9000"},
	{"x-envoy-attempt-count", "7"}, {"x-envoy-decorator-operation", "forged"}, {"x-envoy-external-address", "203.0.113.1"}, {"x-envoy-internal", "true"},
	{"x-envoy-original-path", "/forged"}, {"x-envoy-expected-rq-timeout-ms", "5"}, {"x-envoy-downstream-service-cluster", "forged"},
	{"te", "trailers"}, {"keep-alive", "5"}, {"proxy-connection", "keep-alive"}, {"user-agent", "meshc"}, {"x-b3-sampled", "1"}, {"x-empty", ""},
	{"cookie", "a=b; c=d"}, {"accept-encoding", "gzip"}, {"referer", "http://x.test/"},
}

// vary makes calls of other kinds out of some of the calls, and leaves out those that cannot be made.
func vary(calls []simulate.Call, cfg *compile.Configuration, seed uint64, limit int) []simulate.Call {
	draw := rand.New(rand.NewPCG(seed, 1))
	out := []simulate.Call{}
	names := []string{"", "nobody.test"}
	for _, c := range calls {
		if c.SNI != "" && !slices.Contains(names, c.SNI) {
			names = append(names, c.SNI)
		}
	}
	draw.Shuffle(len(calls), func(i, j int) { calls[i], calls[j] = calls[j], calls[i] })
	for i, c := range calls {
		if i%3 == 0 {
			c.Protocol = simulate.HTTP2
		} else if i%20 == 1 || i%40 == 13 {
			c.Protocol = simulate.TCP
		}
		if i%10 == 3 {
			c.TLS = []string{simulate.Plaintext, simulate.TLS, simulate.MTLS}[draw.IntN(3)]
			c.SNI = names[draw.IntN(len(names))]
			c.ALPN = []string{"", "", "h2", "http/1.1", "istio", "h2,http/1.1", "istio-peer-exchange,istio"}[draw.IntN(7)]
		}
		if c.TLS == simulate.Plaintext {
			c.SNI, c.ALPN = "", ""
		}
		if c.TLS == simulate.MTLS {
			c.Source = identities[draw.IntN(len(identities))]
		}
		if i%4 == 2 {
			c.Headers = maps.Clone(c.Headers)
			if c.Headers == nil {
				c.Headers = map[string]string{}
			}
			for range 2 {
				h := moreHeaders[draw.IntN(len(moreHeaders))]
				c.Headers[h[0]] = h[1]
			}
		}
		if possible(&c) {
			out = append(out, c)
		}
	}
	if limit > 0 {
		out = out[:min(len(out), limit)]
	}
	return out
}

// possible completes a call, and tells whether it can be made in a pod's network.
func possible(c *simulate.Call) bool {
	if c.Address == "0.0.0.0" || c.Address == "" {
		c.Address = "203.0.113.9"
	}
	ip, err := netip.ParseAddr(c.Address)
	if err != nil || !ip.Is4() || ip.IsLoopback() && c.Mode != simulate.Gateway || c.Mode == simulate.Inbound && c.Port == 15006 {
		return false
	}
	if c.Protocol == simulate.HTTP2 && (!strings.HasPrefix(c.Path, "/") || c.Host == "") {
		// HTTP/2 has no other targets, and no request without a host.
		c.Protocol = simulate.HTTP
	}
	if c.ALPN == "" && c.TLS != simulate.Plaintext {
		c.ALPN = offered(*c)
	}
	return true
}

// offered is what a client of the kind offers.
func offered(c simulate.Call) string {
	switch {
	case c.TLS == simulate.MTLS:
		return map[string]string{simulate.HTTP: "istio-http/1.1", simulate.HTTP2: "istio-h2", simulate.TCP: "istio"}[c.Protocol]
	}
	return map[string]string{simulate.HTTP: "http/1.1", simulate.HTTP2: "h2"}[c.Protocol]
}

// pki holds the certificates of a test's mesh.
type pki struct {
	mu        sync.Mutex
	authority *envoytest.Authority
	callers   map[string]tls.Certificate
	servers   map[string]tls.Certificate
}

func newPKI(t *testing.T) *pki {
	t.Helper()
	k := &pki{authority: envoytest.NewAuthority(t), callers: map[string]tls.Certificate{}, servers: map[string]tls.Certificate{}}
	for _, name := range identities {
		k.callers[name] = k.authority.Issue(t, "spiffe://"+name)
	}
	return k
}

// provide writes the files of all secrets into the directory, and returns the bootstrap with those that would be elsewhere read from there.
func (k *pki) provide(t *testing.T, cfg *compile.Configuration, bootstrap []byte, dir string) []byte {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range cfg.Secrets {
		for _, file := range secretFiles(s) {
			folder := path.Dir(file)
			if !strings.HasPrefix(file, dir) {
				folder = dir + "/elsewhere" + folder
				name := map[bool]string{true: "key.pem", false: "cert-chain.pem"}[strings.Contains(path.Base(file), "key")]
				if s.GetValidationContext() != nil {
					name = "root-cert.pem"
				}
				bootstrap = bytes.ReplaceAll(bootstrap, []byte(`"`+file+`"`), []byte(`"`+folder+"/"+name+`"`))
			}
			name := path.Base(folder)
			if _, made := k.servers[name]; !made {
				k.servers[name] = k.authority.Issue(t, name+".example.com")
			}
			k.authority.Write(t, folder, k.servers[name])
		}
	}
	return bootstrap
}

func secretFiles(s *tlsv3.Secret) []string {
	if roots := s.GetValidationContext(); roots != nil {
		return []string{roots.GetTrustedCa().GetFilename()}
	}
	return []string{s.GetTlsCertificate().GetCertificateChain().GetFilename(), s.GetTlsCertificate().GetPrivateKey().GetFilename()}
}
