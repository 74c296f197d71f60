package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider/providertest"
)

// The doctor finds nothing wrong with the example.
func TestDoctorFindsNothing(t *testing.T) {
	w := newWorld(t)
	require.Empty(t, providertest.Diagnose(t, nil, w.issuer, w.clientID))
}
