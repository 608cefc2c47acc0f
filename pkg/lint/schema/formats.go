package schema

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
)

// Patterns are compiled when first asked for: a command that does not lint pays nothing.
var (
	dnsLabel      = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?$`) })
	wildcardLabel = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(\*|(\*|\*-)?[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?)$`)
	})
	// sniPrefix begins the names that eastwest gateways pass through: outbound_.PORT_.SUBSET_.HOST.
	sniPrefix   = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(outbound|inbound)_\.[0-9]+_\.[^.]*_\.`) })
	labelKey    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$`) })
	labelValue  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$`) })
	httpHeader  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[-_A-Za-z0-9]+$`) })
	headerValue = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`%(%|[A-Z][A-Za-z0-9_]*(\([^)]*\))?(:[0-9]+)?%)`) })
)

// A problem is what is wrong with a value, "" for nothing: the tail of a sentence that begins with the value.
type problem string

// isLabel judges a DNS label (RFC 1123).
func isLabel(s string) bool { return len(s) <= 63 && dnsLabel().MatchString(s) }

// hostName judges a fully written host name, without wildcard.
func hostName(s string) problem {
	if p := nameLength(s); p != "" {
		return p
	}
	labels := strings.Split(strings.TrimSuffix(s, "."), ".")
	for _, l := range labels {
		if !isLabel(l) {
			return problem(fmt.Sprintf("is no host name (%q is no DNS label: letters, digits and - only)", l))
		}
	}
	return numericTop(labels)
}

// wildcardName judges a host name whose first label may be, or begin with, a *.
func wildcardName(s string) problem {
	if p := nameLength(s); p != "" {
		return p
	}
	if s == "*" {
		return ""
	}
	labels := strings.Split(strings.TrimSuffix(sniPrefix().ReplaceAllString(s, ""), "."), ".")
	for i, l := range labels {
		if i == 0 && len(l) <= 63 && wildcardLabel().MatchString(l) {
			continue
		}
		if !isLabel(l) {
			return problem(fmt.Sprintf("is no host name (%q is no DNS label; a * may stand at the very front only)", l))
		}
	}
	return ""
}

func numericTop(labels []string) problem {
	if _, err := strconv.Atoi(labels[len(labels)-1]); err == nil && len(labels) > 0 {
		return "is no host name (its last label is a number)"
	}
	return ""
}

func nameLength(s string) problem {
	switch {
	case s == "":
		return "is empty: a host name is needed"
	case len(s) > 255:
		return "is too long for a host name (at most 255 characters)"
	}
	return ""
}

// partialWildcard tells a * that does not stand for whole labels.
func partialWildcard(s string) bool {
	return strings.Contains(s, "*") && s != "*" && !strings.HasPrefix(s, "*.")
}

func isIP(s string) bool {
	_, err := netip.ParseAddr(s)
	return err == nil
}

// isSubnet takes an address or a CIDR.
func isSubnet(s string) bool {
	if isIP(s) {
		return true
	}
	_, err := netip.ParsePrefix(s)
	return err == nil
}

// duration judges one that must be positive and whole milliseconds.
func duration(d *durationpb.Duration) problem {
	if d == nil {
		return ""
	}
	switch span := d.AsDuration(); {
	case span < time.Millisecond:
		return "is too short: it must be at least 1ms"
	case span%time.Millisecond != 0:
		return "is too fine: whole milliseconds are the smallest unit"
	}
	return ""
}

// pattern judges a regular expression as Envoy takes it.
func pattern(s string) problem {
	if _, err := regexp.Compile(s); err != nil {
		return problem(fmt.Sprintf("is no RE2 regular expression (%s)", strings.TrimPrefix(err.Error(), "error parsing regexp: ")))
	}
	return ""
}

func absoluteSocket(address string) problem {
	path := strings.TrimPrefix(address, "unix://")
	switch {
	case strings.HasPrefix(path, "@") && len(path) > 1:
		return ""
	case !strings.HasPrefix(path, "/") || strings.HasSuffix(path, "/"):
		return "is not the absolute path of a socket file (unix:///path/file) or an abstract socket (unix://@name)"
	}
	return ""
}

// headerFormat judges the % expressions of a header's value.
func headerFormat(value string) problem {
	rest := headerValue().ReplaceAllString(value, "")
	if strings.Contains(rest, "%") {
		return "has a % that begins no Envoy expression (%REQ(name)%): write %% for the sign itself"
	}
	return ""
}

// protocols are the names that Istio knows, in lower case, with what they are to a proxy.
func protocolKind(name string) (kind string, known bool) {
	switch strings.ToLower(name) {
	case "http", "http2", "grpc", "grpc-web", "http_proxy":
		return "http", true
	case "https", "tls":
		return "tls", true
	case "tcp", "mongo", "redis", "mysql":
		return "tcp", true
	case "udp", "hbone", "double_hbone":
		return strings.ToLower(name), true
	case "":
		return "", true
	}
	return "", false
}
