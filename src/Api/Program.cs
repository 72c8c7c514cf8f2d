using System.Globalization;
using TaskQueue.Api.CommandLine;

// With the driver of SQL Server there are cultures (Directory.Build.props), and nothing here follows that of the machine.
CultureInfo.CurrentCulture = CultureInfo.DefaultThreadCurrentCulture = CultureInfo.InvariantCulture;
return await EntryPoint.RunAsync(args);
