using System.Globalization;
using System.Runtime.InteropServices;

namespace TaskQueue.Api.Hosting;

/// <summary>
/// The program is built globalization-invariant, so that it starts on machines without ICU; but the SQL Server driver does not connect
/// in that mode. If the runtime finds ICU, this turns the mode off, which is possible until the first culture is used.
/// </summary>
internal static partial class Cultures
{
    /// <summary>Must be called first. DOTNET_SYSTEM_GLOBALIZATION_INVARIANT overrides it.</summary>
    public static void EnableWhereAvailable()
    {
        if (IsIcuAvailable())
            AppContext.SetSwitch("System.Globalization.Invariant", false);
        // The program never uses the machine's culture.
        CultureInfo.CurrentCulture = CultureInfo.DefaultThreadCurrentCulture = CultureInfo.InvariantCulture;
    }

    /// <summary>
    /// Windows and macOS include ICU. Elsewhere the runtime terminates the process if ICU is missing, so its own search runs first.
    /// </summary>
    private static bool IsIcuAvailable()
    {
        if (OperatingSystem.IsWindows() || OperatingSystem.IsMacOS())
            return true;
        try
        {
            return LoadIcu() != 0;
        }
        catch (Exception fault) when (fault is DllNotFoundException or EntryPointNotFoundException)
        {
            return false; // unknown runtime: stay invariant
        }
    }

    [LibraryImport("libSystem.Globalization.Native", EntryPoint = "GlobalizationNative_LoadICU")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int LoadIcu();
}
