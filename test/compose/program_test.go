package compose_test

import (
	"os"
	"testing"

	"iqgateway/test/rig"
)

var program = rig.Program{Root: root}

func TestMain(m *testing.M) { os.Exit(program.Run(m.Run)) }
