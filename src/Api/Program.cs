using TaskQueue.Api.Hosting;

return await CommandLine.RunAsync(args);
