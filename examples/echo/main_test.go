package main

import (
	"testing"

	"github.com/latchkey-go/latchkey/examples/internal/routertest"
)

func TestApp(t *testing.T) { routertest.Run(t, password) }
