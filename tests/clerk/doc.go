// Package clerk runs Clerk's SDKs, unmodified, against the Backend API: the one
// for Go in this process, and the one for JavaScript if Node.js is installed.
// The package exports nothing.
package clerk
