// Package clerk runs Clerk's own SDKs, unmodified, against the Backend API:
// the one for Go in this process, and the one for JavaScript if Node.js is
// there. It has no code for others to use.
package clerk
