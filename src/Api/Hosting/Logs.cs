using Microsoft.Extensions.Configuration.Memory;
using Microsoft.Extensions.Logging.Console;

namespace TaskQueue.Api.Hosting;

/// <summary>
/// Logs go to the console, a line each; <c>Logging:Console:FormatterName=json</c> makes them JSON, and
/// <c>Logging:LogLevel:…</c> sets tiers, as in every ASP.NET Core program.
/// </summary>
internal static class Logs
{
    private static readonly Dictionary<string, string?> Defaults = new()
    {
        ["Logging:LogLevel:Default"] = "Information",
        ["Logging:LogLevel:Microsoft.AspNetCore"] = "Warning",
        ["Logging:LogLevel:Microsoft.EntityFrameworkCore"] = "Warning",
        // It logs as errors what callers handle, such as the look for a migration history that is not there yet.
        ["Logging:LogLevel:Microsoft.EntityFrameworkCore.Database.Command"] = "None",
        ["Logging:LogLevel:Microsoft.EntityFrameworkCore.Database.Connection"] = "None",
        // So does each query of an outage; who asked says it, once.
        ["Logging:LogLevel:Microsoft.EntityFrameworkCore.Query"] = "None",
        ["Logging:LogLevel:Microsoft.EntityFrameworkCore.Update"] = "None",
        // The answer of /health/ready says it; each probe would repeat it here.
        ["Logging:LogLevel:Microsoft.Extensions.Diagnostics.HealthChecks"] = "None",
        // It logs every command that fails, and every try to reach the broker: BusFaultLog and Outages say the same of the bus alone, once.
        ["Logging:LogLevel:MassTransit"] = "None",
        // Its warnings are about runs that it repeats; MaintenanceRunner and the answer of GET /maintenance say what failed.
        ["Logging:LogLevel:Hangfire"] = "Error",
        ["Logging:Console:FormatterOptions:SingleLine"] = "true",
        ["Logging:Console:FormatterOptions:UseUtcTimestamp"] = "true",
        ["Logging:Console:FormatterOptions:TimestampFormat"] = "yyyy-MM-ddTHH:mm:ss.fffZ ",
    };

    public static void AddLogs(this WebApplicationBuilder builder)
    {
        var formatter = builder.Configuration["Logging:Console:FormatterName"] ?? ConsoleFormatterNames.Simple;
        var defaults = new Dictionary<string, string?>(Defaults);
        // A line for people has no room for scopes: they say which task, attempt and trace a line is about.
        if (formatter.Equals(ConsoleFormatterNames.Json, StringComparison.OrdinalIgnoreCase))
            defaults["Logging:Console:FormatterOptions:IncludeScopes"] = "true";
        builder.Configuration.Sources.Insert(0, new MemoryConfigurationSource { InitialData = defaults });
        // At Information it writes the address of every request, and bella's clients may send their key in it.
        builder.Logging.ClearProviders().AddFilter("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.Warning)
            .AddConsole(o => o.FormatterName = formatter); // the builder has chosen the simple one for everybody
        PlainConsole.AddTo(builder.Services);
    }
}
