package compile

import "github.com/meshc/meshc/pkg/diag"

// notCompiled names the resources that bear on this proxy and that the compiler does not take into account.
func (b *builder) notCompiled() []diag.Finding { return nil }
