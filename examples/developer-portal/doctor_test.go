package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/latchkey-go/latchkey/provider/providertest"
)

// The doctor finds nothing wrong with the example.
func TestDoctorFindsNothing(t *testing.T) {
	require.Empty(t, providertest.Diagnose(t, nil, newPortal(t).url))
}
