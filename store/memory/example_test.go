package memory_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/latchkey-go/latchkey/store"
	"github.com/latchkey-go/latchkey/store/memory"
)

// Give the store to a provider, which does the rest. A test may inspect the
// store, or fill it first.
func Example() {
	ctx := context.Background()
	s := memory.New()

	err := s.CreateApplication(ctx, store.Application{ID: "app_1", ClientID: "wiki", Name: "Wiki"})
	if err != nil {
		log.Fatal(err)
	}
	app, err := s.FindClient(ctx, "wiki")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(app.Name, app.Version)

	_, err = s.FindClient(ctx, "blog")
	fmt.Println(errors.Is(err, store.ErrNotFound))
	// Output:
	// Wiki 1
	// true
}
