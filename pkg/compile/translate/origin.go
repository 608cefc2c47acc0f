package translate

import (
	"github.com/meshc/meshc/pkg/model"
	"github.com/meshc/meshc/pkg/model/resource"
)

// origin is where one http entry of a VirtualService stands: the root's, and where it delegates the delegate's after it.
type origin []resource.Source

func originOf(vs *model.VirtualService, i int) origin {
	if i < len(vs.HTTPFrom) && len(vs.HTTPFrom[i]) > 0 {
		return vs.HTTPFrom[i]
	}
	return origin{vs.At(resource.Index("spec.http", i))}
}

// all returns the places as sources.
func (o origin) all() []resource.Source { return o }

// match narrows the origin to one of its matches. Where a delegate's matches were multiplied with the root's, the entries as a whole
// are the best that can be said.
func (o origin) match(j int) origin {
	if len(o) != 1 {
		return o
	}
	return origin{o[0].Resource.At(resource.Index(o[0].Path+".match", j))}
}

// field narrows the origin to a field of the entry: in those resources that hold it, or, if none does, in the last one, which has the
// last word.
func (o origin) field(path string) []resource.Source {
	if len(o) == 1 {
		return []resource.Source{o[0].Resource.At(o[0].Path + "." + path)}
	}
	var held []resource.Source
	for _, s := range o {
		full := s.Path + "." + path
		if _, ok := s.Resource.NodeAt(full); ok {
			held = append(held, s.Resource.At(full))
		}
	}
	if len(held) > 0 {
		return held
	}
	last := o[len(o)-1]
	return []resource.Source{last.Resource.At(last.Path + "." + path)}
}

// element narrows the origin to an element of a list field.
func (o origin) element(path string, i int) []resource.Source {
	return o.field(resource.Index(path, i))
}
