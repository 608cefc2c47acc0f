package reach

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/meshc/meshc/pkg/model"
)

// UnknownName says that a name of Options.From or Options.To fits nothing.
type UnknownName struct {
	// Flag is "from" or "to".
	Flag, Name, Why string
}

func (e *UnknownName) Error() string {
	return fmt.Sprintf("--%s %s: the input %s", e.Flag, e.Name, e.Why)
}

// Names by which Options.From picks callers that the input does not describe.
const (
	NameOutside          = "outside"
	NameOtherIdentity    = "other"
	NameOtherTrustDomain = "other-trust-domain"
)

// pickCallers keeps callers that one of the names fits: a workload NAME.NAMESPACE, a namespace, a principal with or without spiffe://, or one of
// the names of those whom the input does not describe.
func pickCallers(all []*Caller, names []string) ([]*Caller, error) {
	if len(names) == 0 {
		return all, nil
	}
	keep := map[*Caller]bool{}
	for _, name := range names {
		found := false
		for _, c := range all {
			if c.is(name) {
				keep[c], found = true, true
			}
		}
		if !found {
			return nil, &UnknownName{"from", name, "has no such workload, namespace or principal ('meshc proxies' lists workloads; " +
				NameOutside + ", " + NameOtherIdentity + " and " + NameOtherTrustDomain + " are callers that no input describes)"}
		}
	}
	return slices.DeleteFunc(all, func(c *Caller) bool { return !keep[c] }), nil
}

func (c *Caller) is(name string) bool {
	switch c.Kind {
	case Outside:
		return name == NameOutside || slices.Contains(c.Workloads, name)
	case OtherIdentity:
		return name == NameOtherIdentity
	case OtherTrustDomain:
		return name == NameOtherTrustDomain
	}
	return c.Principal == strings.TrimPrefix(name, spiffe) || slices.Contains(c.Workloads, name) || c.proxies[0].Namespace == name
}

// target is a name of Options.To with its port, 0 for any.
type target struct {
	name string
	port uint32
}

// pickProxies keeps proxies that one of the names fits, and tells which of their ports do. A name is a workload NAME.NAMESPACE, a service as
// NAME.NAMESPACE or by its host name, a namespace, or a principal; each but the last with :PORT after it where only that is wanted, which is the
// service's own number for a service.
func pickProxies(mesh *model.Mesh, names []string) ([]*model.Proxy, func(*Destination) bool, error) {
	if len(names) == 0 {
		return mesh.Proxies(), func(*Destination) bool { return true }, nil
	}
	var proxies []*model.Proxy
	picked := map[*model.Proxy]bool{}
	var targets []target
	for _, name := range names {
		t := target{name: strings.TrimPrefix(name, spiffe)}
		if before, port, ok := strings.Cut(t.name, ":"); ok {
			number, err := strconv.ParseUint(port, 10, 16)
			if err != nil || number == 0 {
				return nil, nil, &UnknownName{"to", name, "can have no port " + strconv.Quote(port)}
			}
			t = target{before, uint32(number)}
		}
		targets = append(targets, t)
		found := false
		for _, p := range mesh.Proxies() {
			services := mesh.ServiceTargets(p)
			if !t.fitsWorkload(p.ID(), p.Namespace, principalOf(mesh, p.Namespace, p.ServiceAccount)) &&
				!slices.ContainsFunc(services, func(s model.ServiceTarget) bool { return t.fitsService(s.Service) }) {
				continue
			}
			found = true
			if !picked[p] {
				picked[p], proxies = true, append(proxies, p)
			}
		}
		if !found {
			return nil, nil, &UnknownName{"to", name, "has no such workload with a proxy, service before one, namespace or principal ('meshc proxies' lists them)"}
		}
	}
	return proxies, func(d *Destination) bool {
		return slices.ContainsFunc(targets, func(t target) bool { return t.fits(d) })
	}, nil
}

func (t target) fitsWorkload(id, namespace, principal string) bool {
	return t.name == id || t.name == namespace || t.name == principal
}

func (t target) fitsService(s *model.Service) bool {
	return t.name == s.Hostname || t.name == s.Name+"."+s.Namespace
}

func (t target) fits(d *Destination) bool {
	if t.fitsWorkload(d.Workload, d.namespace, d.Principal) && (t.port == 0 || t.port == d.Port) {
		return true
	}
	return slices.ContainsFunc(d.targets, func(s model.ServiceTarget) bool {
		return t.fitsService(s.Service) && (t.port == 0 || t.port == s.Port.Number)
	})
}
