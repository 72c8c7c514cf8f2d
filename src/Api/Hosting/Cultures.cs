using System.Globalization;
using System.Runtime.InteropServices;

namespace TaskQueue.Api.Hosting;

/// <summary>
/// The program is built globalization-invariant, so that it starts on a machine without ICU; the driver of SQL Server connects in no
/// such process. Where the runtime finds ICU, the mode is switched off, which it allows until it needs the first culture.
/// </summary>
internal static partial class Cultures
{
    /// <summary>Call it first. DOTNET_SYSTEM_GLOBALIZATION_INVARIANT overrides it.</summary>
    public static void EnableWhereAvailable()
    {
        if (IsIcuAvailable())
            AppContext.SetSwitch("System.Globalization.Invariant", false);
        // Nothing here follows the culture of the machine.
        CultureInfo.CurrentCulture = CultureInfo.DefaultThreadCurrentCulture = CultureInfo.InvariantCulture;
    }

    /// <summary>
    /// Windows and macOS bring ICU. Elsewhere the runtime ends the process where it finds none, so its own search runs first.
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
            return false; // another runtime: it stays invariant
        }
    }

    [LibraryImport("libSystem.Globalization.Native", EntryPoint = "GlobalizationNative_LoadICU")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int LoadIcu();
}
