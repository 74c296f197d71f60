package keys_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	"log"
	"strings"

	"github.com/latchkey-go/latchkey/provider/keys"
	"github.com/latchkey-go/latchkey/store/memory"
)

// Keep keys in the provider's store, where they rotate automatically.
func ExampleNew() {
	ctx, kept := context.Background(), memory.New()       // in production, the store of the provider
	secret := strings.Repeat("for this example only ", 2) // in production, from "openssl rand -base64 32"
	signing, err := keys.New(ctx, keys.Options{
		Store:   kept,
		Secrets: []string{secret},
	})
	if err != nil {
		log.Fatal(err)
	}
	// provider.New(provider.Config{Store: kept, Keys: signing, ...}); its Run rotates the keys.
	fmt.Println(signing.Algorithms())
	// Output: [RS256 ES256]
}

// Use keys that never leave a KMS or an HSM, whose client implements
// crypto.Signer.
func ExampleStatic() {
	var fromKMS crypto.Signer
	fromKMS, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader) // in production, the client of your KMS
	if err != nil {
		log.Fatal(err)
	}
	signing, err := keys.Static(fromKMS)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(signing.Algorithms())
	// Output: [ES256]
}

// Remove a key that may be stolen. Another one signs at once.
func ExampleKeys_Retire() {
	ctx := context.Background()
	signing, err := keys.New(ctx, keys.Options{
		Store: memory.New(), Secrets: []string{strings.Repeat("for this example only ", 2)}, Algorithms: []string{keys.ES256},
	})
	if err != nil {
		log.Fatal(err)
	}
	before, err := signing.List(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if err := signing.Retire(ctx, before[0].ID); err != nil {
		log.Fatal(err)
	}
	after, err := signing.List(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(after), after[0].State, after[0].ID != before[0].ID)
	// Output: 1 signing true
}
