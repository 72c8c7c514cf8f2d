using System.Globalization;

namespace TaskQueue.Storage.SqlServer;

/// <summary>Process-wide requirements of the SQL Server driver.</summary>
internal static class SqlServerStorage
{
    private const string InvariantVariable = "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT";

    /// <summary>Checks at startup what the driver checks when it connects: it rejects globalization-invariant mode.</summary>
    /// <exception cref="FormatException">The process runs in that mode; the message names what to install or set.</exception>
    internal static void RequireCultures()
    {
        try
        {
            CultureInfo.GetCultureInfo("en-US");
        }
        catch (CultureNotFoundException fault)
        {
            var remedy = Environment.GetEnvironmentVariable(InvariantVariable) is { Length: > 0 } value
                ? $"unset {InvariantVariable}, which is {value}"
                : "install it (libicu on Debian, Ubuntu and Fedora, icu-libs on Alpine)";
            throw new FormatException($"ConnectionStrings:TaskQueue names a SQL Server, whose driver needs ICU: {remedy}.", fault);
        }
    }
}
