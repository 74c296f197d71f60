package storetest

var wrongDevices []wrong
var wrongDecisions []wrong
var wrongPolls []wrong
var wrongDeviceCleanup []wrong
var wrongDeviceRaces []wrong
