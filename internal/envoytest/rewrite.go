package envoytest

import (
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"strconv"
)

// Options say how a bootstrap is rewritten before it is run.
type Options struct {
	// Open names listeners that get a free loopback port of their own though they do not bind one (bind_to_port: false), as a sidecar's
	// outbound listeners. Listeners that do bind are moved to a free loopback port in any case.
	Open []string
	// Only keeps the named listeners and drops the others; nil keeps all.
	Only []string
	// Upstream returns the address HOST:PORT that stands in for all endpoints of a cluster, "" to leave the cluster as it is. It is called
	// once a cluster. The cluster becomes STATIC, whatever it was, and its one server is never ejected.
	Upstream func(cluster string) string
	// KeepTLS leaves the TLS settings of the clusters that Upstream answers for; without it they talk plaintext.
	KeepTLS bool
	// Network is where Envoy runs, nil for the machine's own. In another one nothing is in the way, and listeners keep their addresses.
	Network Network
	// KeepAdmin leaves the admin interface at its own address, where the bootstrap's listeners for Prometheus and probes look for it: for
	// the one Envoy of a network of its own.
	KeepAdmin bool
	// Secrets are put in the bootstrap in place of those that the secret server would send.
	Secrets []Secret
}

// Secret is a certificate with its key, or the certificates of the authorities to trust, as PEM.
type Secret struct {
	Name             string
	Certificate, Key string
	Authorities      string
}

type object = map[string]any

// rewrite prepares a bootstrap for running it on loopback.
func rewrite(bootstrap []byte, opts Options) ([]byte, error) {
	var root object
	if err := json.Unmarshal(bootstrap, &root); err != nil {
		return nil, fmt.Errorf("the bootstrap is no JSON object: %w", err)
	}
	if !opts.KeepAdmin {
		root["admin"] = object{"address": socketAddress("127.0.0.1", 0)}
	}
	static, _ := root["static_resources"].(object)
	if static == nil {
		return nil, fmt.Errorf("the bootstrap has no static_resources")
	}
	if opts.Network == nil {
		rewriteListeners(static, opts)
	}
	clusters, _ := static["clusters"].([]any)
	for _, c := range clusters {
		cluster, _ := c.(object)
		if cluster == nil || opts.Upstream == nil {
			continue
		}
		name, _ := cluster["name"].(string)
		if address := opts.Upstream(name); address != "" {
			if err := replaceEndpoints(cluster, name, address, opts.KeepTLS); err != nil {
				return nil, err
			}
		}
	}
	provideSecrets(static, opts.Secrets)
	return json.Marshal(root)
}

func rewriteListeners(static object, opts Options) {
	listeners, _ := static["listeners"].([]any)
	kept := []any{}
	for _, l := range listeners {
		listener, _ := l.(object)
		name, _ := listener["name"].(string)
		if opts.Only != nil && !slices.Contains(opts.Only, name) {
			continue
		}
		if slices.Contains(opts.Open, name) {
			delete(listener, "bind_to_port")
		}
		if listener["bind_to_port"] != false {
			listener["address"] = socketAddress("127.0.0.1", 0)
			delete(listener, "additional_addresses")
		}
		kept = append(kept, listener)
	}
	static["listeners"] = kept
}

func replaceEndpoints(cluster object, name, address string, keepTLS bool) error {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	number, err := strconv.Atoi(port)
	if err != nil {
		return err
	}
	for _, field := range []string{"eds_cluster_config", "original_dst_lb_config", "upstream_bind_config", "cleanup_interval", "cluster_type", "dns_lookup_family", "outlier_detection"} {
		delete(cluster, field)
	}
	if cluster["lb_policy"] == "CLUSTER_PROVIDED" {
		delete(cluster, "lb_policy")
	}
	if !keepTLS {
		delete(cluster, "transport_socket")
		delete(cluster, "transport_socket_matches")
	}
	cluster["type"] = "STATIC"
	cluster["load_assignment"] = object{"cluster_name": name, "endpoints": []any{object{"locality": object{"region": "test"}, "load_balancing_weight": 1, "lb_endpoints": []any{
		object{"endpoint": object{"address": socketAddress(host, number)}},
	}}}}
	return nil
}

// provideSecrets adds the secrets and takes the secret server out of whatever asks it for them.
func provideSecrets(static object, secrets []Secret) {
	if len(secrets) == 0 {
		return
	}
	list, _ := static["secrets"].([]any)
	for _, s := range secrets {
		secret := object{"name": s.Name}
		if s.Authorities != "" {
			secret["validation_context"] = object{"trusted_ca": object{"inline_string": s.Authorities}}
		} else {
			secret["tls_certificate"] = object{"certificate_chain": object{"inline_string": s.Certificate}, "private_key": object{"inline_string": s.Key}}
		}
		list = append(list, secret)
	}
	static["secrets"] = list
	withoutServer(static, secrets)
}

func withoutServer(v any, secrets []Secret) {
	switch v := v.(type) {
	case object:
		if name, ok := v["name"].(string); ok && v["sds_config"] != nil && slices.ContainsFunc(secrets, func(s Secret) bool { return s.Name == name }) {
			delete(v, "sds_config")
		}
		for _, e := range v {
			withoutServer(e, secrets)
		}
	case []any:
		for _, e := range v {
			withoutServer(e, secrets)
		}
	}
}

func socketAddress(host string, port int) object {
	return object{"socket_address": object{"address": host, "port_value": port}}
}
