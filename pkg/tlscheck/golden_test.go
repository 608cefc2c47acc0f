package tlscheck_test

import (
	"testing"

	"github.com/meshc/meshc/internal/golden"
)

func TestMain(m *testing.M) { golden.Main(m) }
