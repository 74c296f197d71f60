package provider_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/latchkey-go/latchkey/provider"
)

// Let an application with several processes share one credentials file, and use
// an old refresh token for up to half an hour.
func ExampleLifetimes() {
	app, _, err := exampleProvider().CreateApplication(context.Background(), provider.ApplicationSettings{
		Name:         "Wiki sync",
		RedirectURIs: []string{"https://sync.example.com/callback"},
		Lifetimes: provider.Lifetimes{
			Access: 15 * time.Minute,
			Grace:  time.Hour, // it authenticates, so an old token alone is worth nothing
		},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(app.Lifetimes.Grace)
	// Output: 1h0m0s
}
