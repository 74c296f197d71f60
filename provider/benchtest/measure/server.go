package measure

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"

	"github.com/latchkey-go/latchkey/provider/benchtest"
)

// described is what the measuring process needs to know of a stack, and the
// address of its server.
type described struct {
	benchtest.Stack
	Address string
}

// serve serves a stack until the context ends. Its CPU time is at /cpu.
func serve(ctx context.Context, stack *benchtest.Stack, out io.Writer) error {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", stack.Handler)
	mux.HandleFunc("GET /cpu", func(w http.ResponseWriter, _ *http.Request) {
		runtime.GC() // so that each phase pays for its own garbage
		used, err := cpuTime()
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		fmt.Fprint(w, used)
	})
	d := described{*stack, "http://" + listener.Addr().String()}
	if err := json.NewEncoder(out).Encode(d); err != nil {
		return err
	}
	server := &http.Server{Handler: mux}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(listener); err != http.ErrServerClosed {
		return err
	}
	return nil
}
