package model

// index holds what the mesh's questions need, computed once by Load.
type index struct{}
