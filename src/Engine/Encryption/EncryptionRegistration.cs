using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Options;

namespace TaskQueue.Engine.Encryption;

/// <summary>Puts the encryption of stored data together.</summary>
internal static class EncryptionRegistration
{
    /// <summary>Adds the keys and the cipher of this process.</summary>
    public static IServiceCollection AddTaskQueueEncryption(this IServiceCollection services)
    {
        services.AddOptions<EncryptionOptions>().BindConfiguration("TaskQueue:Encryption").ValidateOnStart();
        services.AddSingleton<IValidateOptions<EncryptionOptions>, EncryptionKeys>();
        return services.AddSingleton<DataCipher>().AddSingleton<UnreadableTasks>();
    }
}
