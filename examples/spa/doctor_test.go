package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider/providertest"
)

// The doctor looks at the example, and finds nothing.
func TestDoctorFindsNothing(t *testing.T) {
	d := newDemo(t, "localhost")
	require.Empty(t, providertest.Diagnose(t, nil, d.acmeURL, d.clientID))
}
