using TaskQueue.Api.CommandLine;
using TaskQueue.Api.Hosting;

Cultures.EnableWhereAvailable(); // before anything else
return await EntryPoint.RunAsync(args);
