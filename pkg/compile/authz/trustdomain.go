package authz

import (
	"slices"
	"strings"
)

// withAliases writes principals of the mesh's trust domain, or of one of its aliases, for all of them; cluster.local stands for the mesh's
// own domain whatever its name (https://istio.io/latest/docs/tasks/security/authorization/authz-td-migration/).
func (t *translation) withAliases(identities []string) []string {
	var out []string
	for _, identity := range identities {
		domain, rest, ok := trustDomainOf(identity)
		if !ok || domain != defaultTrustDomain && !slices.ContainsFunc(t.options.TrustDomains, func(td string) bool { return sameDomain(domain, td) }) {
			out = append(out, identity)
			continue
		}
		var written []string
		for _, td := range t.options.TrustDomains {
			alias := td + "/" + rest
			if suffix, ok := strings.CutPrefix(domain, "*"); ok && strings.HasSuffix(td, suffix) {
				alias = identity
			}
			if !slices.Contains(written, alias) {
				written = append(written, alias)
			}
		}
		out = append(out, written...)
	}
	return out
}

// withDomainAliases writes one of the mesh's trust domains for all of them.
func (t *translation) withDomainAliases(domains []string) []string {
	var out []string
	for _, domain := range domains {
		same := []string{domain}
		if slices.Contains(t.options.TrustDomains, domain) {
			same = t.options.TrustDomains
		}
		for _, d := range same {
			if !slices.Contains(out, d) {
				out = append(out, d)
			}
		}
	}
	return out
}

// trustDomainOf splits TRUSTDOMAIN/ns/NAMESPACE/sa/SERVICEACCOUNT after the domain. It reports false for an identity of another form and
// for one of any domain.
func trustDomainOf(identity string) (domain, rest string, ok bool) {
	domain, rest, _ = strings.Cut(identity, "/")
	return domain, rest, strings.Count(identity, "/") == 4 && domain != "*"
}

// sameDomain tells whether a domain as a policy writes it is the mesh's; either may begin or end with a star.
func sameDomain(written, domain string) bool {
	return written == domain || starMatches(written, domain) || starMatches(domain, written)
}

func starMatches(pattern, s string) bool {
	if suffix, ok := strings.CutPrefix(pattern, "*"); ok {
		return strings.HasSuffix(s, suffix)
	}
	if prefix, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(s, prefix)
	}
	return false
}
