package schema

import (
	"slices"
	"strings"
)

// localities judges a list of region/zone/subzone patterns: well formed, and none inside another.
func (c *check) localities(path string, names []string) {
	sorted := slices.Sorted(slices.Values(names))
	for i, name := range sorted {
		parts := strings.Split(name, "/")
		if len(parts) > 3 || slices.Contains(parts, "") {
			c.errorf(InvalidValue, path, "%q is no locality: write region, region/zone or region/zone/subzone", name)
			continue
		}
		if at := strings.IndexByte(name, '*'); at >= 0 && at != len(name)-1 {
			c.errorf(InvalidValue, path, "%q: a * may stand at the end of a locality only", name)
			continue
		}
		for _, other := range sorted[:i] {
			if insideLocality(name, other) || insideLocality(other, name) {
				c.errorf(Duplicate, path, "the localities %s and %s overlap", other, name)
			}
		}
	}
}

// insideLocality tells whether everything in the first locality is in the second.
func insideLocality(a, b string) bool {
	b = strings.TrimSuffix(strings.TrimSuffix(b, "*"), "/")
	return b == "" || a == b || strings.HasPrefix(a, b+"/")
}
