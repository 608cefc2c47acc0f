package compile

import (
	"cmp"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/meshc/meshc/pkg/model"
)

// domains hands out the host names by which virtual hosts of one route configuration are found. Envoy refuses a table that has a name twice:
// who comes first gets it.
type domains struct {
	// namespace is the proxy's, in which services can be named without theirs.
	namespace string
	// cluster ends the names of all Kubernetes services: .svc.cluster.local.
	cluster string
	// ports tells that names are given with their port as well, where several ports share a table.
	ports     bool
	aliases   map[string][]string
	addresses func(*model.Service) []string

	hosts map[string]bool // names of virtual hosts
	taken map[string]bool // lower-case domains
	known map[string]bool // full names of the services at hand, which no short name may cover
}

func (t *outboundTable) newDomains(groups []*hostGroup, port uint32) *domains {
	d := &domains{
		namespace: t.proxy.Namespace, cluster: ".svc." + t.mesh.Settings.DomainSuffix, ports: port == 0, aliases: t.aliases, addresses: t.addressesOf,
		hosts: map[string]bool{}, taken: map[string]bool{}, known: map[string]bool{},
	}
	for _, g := range groups {
		for _, svc := range g.services {
			d.known[svc.Hostname] = true
			d.known[hostPort(svc.Hostname, g.port)] = true
		}
	}
	return d
}

// claim returns those domains of a host on a port that nobody has yet, and takes them; svc is nil for a name without service.
func (d *domains) claim(host string, port uint32, svc *model.Service) []string {
	name := hostPort(host, port)
	if d.hosts[name] {
		return nil
	}
	d.hosts[name] = true
	if svc == nil {
		return d.take([]string{bracketed(host)}, nil)
	}
	all, short := d.of(svc, port)
	return d.take(all, short)
}

func (d *domains) take(names, short []string) []string {
	var out []string
	for _, name := range names {
		key := strings.ToLower(name)
		if d.taken[key] || d.known[name] && slices.Contains(short, name) {
			continue
		}
		d.taken[key] = true
		out = append(out, name)
	}
	return out
}

// of returns the domains of a service: its name and those of its aliases, each in full, with a final dot and as it is shortened in the
// proxy's namespace; the same below a wildcard for the pods of a headless service; and its addresses. Short are those made up here.
func (d *domains) of(svc *model.Service, port uint32) (all, short []string) {
	for _, host := range append([]string{svc.Hostname}, d.aliases[svc.Hostname]...) {
		made := d.variants(host, port)
		all = d.with(all, host, port)
		all = append(all, made...)
		short = append(short, made...)
	}
	if svc.Kubernetes && svc.Resolution == model.Passthrough {
		for _, name := range slices.Clone(all) {
			all = append(all, "*."+name)
		}
	}
	for _, address := range d.addresses(svc) {
		if address != "" && address != "0.0.0.0" {
			all = d.with(all, address, port)
		}
	}
	return all, short
}

// with adds a name, and the name with its port where these are asked for.
func (d *domains) with(names []string, name string, port uint32) []string {
	names = append(names, bracketed(name))
	if d.ports {
		names = append(names, hostPort(name, port))
	}
	return names
}

// variants are the other ways to write a host name: absolute, and for a Kubernetes service as short as the proxy's namespace allows.
func (d *domains) variants(host string, port uint32) []string {
	var out []string
	if _, err := netip.ParseAddr(host); err != nil {
		out = d.with(out, host+".", port)
	}
	inCluster, ok := strings.CutSuffix(host, d.cluster)
	if !ok {
		return out
	}
	name, namespace, ok := strings.Cut(inCluster, ".")
	if !ok {
		return out
	}
	if namespace == d.namespace {
		out = d.with(out, name, port)
		out = d.with(out, inCluster+".svc", port)
		return d.with(out, inCluster, port)
	}
	out = d.with(out, inCluster, port)
	return d.with(out, inCluster+".svc", port)
}

// serviceAliases is the function of the name for the services of the mesh, worked out once for all proxies.
func (b *builder) serviceAliases() map[string][]string {
	return shareOnce(b, "aliases", func(keeper) map[string][]string { return serviceAliases(b.mesh.Services()) })
}

// serviceAliases returns, by hostname, the ExternalName services that stand for a service, directly or through one another, ordered by
// namespace then hostname.
func serviceAliases(services []*model.Service) map[string][]string {
	next := map[string]string{}
	var aliases []*model.Service
	for _, svc := range services {
		if svc.Resolution == model.Alias {
			next[svc.Hostname] = svc.ExternalName
			aliases = append(aliases, svc)
		}
	}
	slices.SortStableFunc(aliases, func(x, y *model.Service) int {
		return cmp.Or(cmp.Compare(x.Namespace, y.Namespace), cmp.Compare(x.Hostname, y.Hostname))
	})
	out := map[string][]string{}
	for _, alias := range aliases {
		target := alias.ExternalName
		// A chain longer than there are aliases goes in circles.
		for range len(aliases) {
			further, ok := next[target]
			if !ok {
				out[target] = append(out[target], alias.Hostname)
				break
			}
			target = further
		}
	}
	return out
}

// addressesOf returns the virtual addresses by which the proxy knows a service: its own, or the one that istiod allocates.
func (b *builder) addressesOf(svc *model.Service) []string {
	if len(svc.Addresses) == 0 && svc.AutoAddress != "" && b.allocatesAddresses() {
		return []string{svc.AutoAddress}
	}
	if svc.Kubernetes && len(svc.Addresses) > 1 {
		return b.ofOwnFamily(svc.Addresses)
	}
	return svc.Addresses
}

// ofOwnFamily are the addresses that the proxy can connect to, those of its own family; all where there are none.
func (b *builder) ofOwnFamily(addresses []string) []string {
	own := slices.DeleteFunc(slices.Clone(addresses), func(a string) bool {
		addr, err := netip.ParseAddr(a)
		return err != nil || addr.Is6() != b.ipv6()
	})
	if len(own) == 0 {
		return addresses
	}
	return own
}

// dnsCapture is the setting by which a proxy answers its workload's DNS queries.
const dnsCapture = "ISTIO_META_DNS_CAPTURE"

// allocatesAddresses tells whether addresses that istiod allocates count: only where the proxy answers its workload's DNS queries
// (https://istio.io/latest/docs/ops/configuration/traffic-management/dns-proxy/).
func (b *builder) allocatesAddresses() bool {
	return b.proxyConfig().GetProxyMetadata()[dnsCapture] == "true"
}

// hostPort writes HOST:PORT.
func hostPort(host string, port uint32) string {
	return net.JoinHostPort(host, strconv.FormatUint(uint64(port), 10))
}

// bracketed writes an IPv6 address as HTTP's Host header does; other names stay.
func bracketed(host string) string {
	if a, err := netip.ParseAddr(host); err == nil && a.Is6() {
		return "[" + host + "]"
	}
	return host
}
