// Loaded into the children of `npm start` with --import: a child whose parent is gone, however it died, stops itself.
// Nothing else may keep the process alive because of it.
process.once("disconnect", () => process.kill(process.pid, "SIGTERM"));
process.channel?.unref();
