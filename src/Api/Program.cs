using TaskQueue.Api.CommandLine;

return await EntryPoint.RunAsync(args);
