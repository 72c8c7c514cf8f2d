using TaskQueue.Engine.Storage;

namespace TaskQueue.Api.Hosting;

/// <summary><c>taskqueue migrate</c>.</summary>
internal static class MigrateCommand
{
    public static async Task<int> RunAsync(CancellationToken stop)
    {
        await using var app = Server.Build(new ServerOptions(Roles: null, Urls: null));
        var address = app.Services.GetRequiredService<DatabaseAddress>();
        var applied = await StartupChecks.ReachAsync(address, () => app.Services.GetRequiredService<DatabaseMigrator>().MigrateAsync(stop));
        Console.WriteLine(applied.Count == 0 ? $"{address}: nothing to do" : $"{address}: applied {string.Join(", ", applied)}");
        return 0;
    }
}
