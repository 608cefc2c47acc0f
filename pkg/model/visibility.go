package model

import "strings"

// Words of exportTo that are not namespaces (https://istio.io/latest/docs/reference/config/networking/virtual-service/#VirtualService).
const (
	exportPublic  = "*"
	exportPrivate = "."
	exportNone    = "~"
)

// Visible tells whether something of namespace owner with the exportTo set is visible in namespace ns. An empty set is public.
func Visible(exportTo map[string]bool, owner, ns string) bool {
	switch {
	case len(exportTo) == 0 || exportTo[exportPublic]:
		return true
	case exportTo[exportNone]:
		return false
	case exportTo[exportPrivate] && owner == ns:
		return true
	}
	return exportTo[ns]
}

// exportSet makes a set of a resource's exportTo, or of the mesh's default where the resource says nothing.
func exportSet(given, byDefault []string) map[string]bool {
	if len(given) == 0 {
		given = byDefault
	}
	set := make(map[string]bool, len(given))
	for _, g := range given {
		if g = strings.TrimSpace(g); g != "" {
			set[g] = true
		}
	}
	if len(set) == 0 {
		set[exportPublic] = true
	}
	return set
}
