using System.Text.Json;
using TaskQueue.Http.Json;
using TaskQueue.Storage;

namespace TaskQueue.Api.Hosting;

/// <summary><c>taskqueue migrate</c>.</summary>
internal static class MigrateCommand
{
    /// <param name="json">Whether to write a JSON document and no log.</param>
    /// <param name="cancellationToken">Stops before the next migration.</param>
    public static async Task<int> RunAsync(bool json, CancellationToken cancellationToken)
    {
        await using var app = Server.Build(new ServerOptions(Roles: null, Urls: null), builder =>
        {
            if (json)
                builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?> { ["Logging:LogLevel:Default"] = "None" });
        });
        var address = app.Services.GetRequiredService<DatabaseAddress>();
        app.Services.GetRequiredService<DataFolder>().Create();
        var applied = await StartupChecks.ReachOnceAsync(address, () =>
            app.Services.GetRequiredService<DatabaseMigrator>().MigrateAsync(cancellationToken));
        await StartupChecks.DemandSettingsAsync(address, app.Services.GetRequiredService<DatabaseMigrator>(), cancellationToken);
        await StartupChecks.PrepareMaintenanceAsync(app.Services, cancellationToken);
        Console.WriteLine(
            json ? JsonSerializer.Serialize(new { database = address.ToString(), applied }, JsonStyle.Options)
            : applied.Count == 0 ? $"{address}: nothing to do"
            : $"{address}: applied {string.Join(", ", applied)}");
        return 0;
    }
}
